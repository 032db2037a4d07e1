resource "aws_sns_topic" "alerts" {
  name         = "alerts"
  display_name = "Alerts"
  tags         = { Env = "prod" }
}

resource "aws_sns_topic" "audit" {
  name = "audit"
}

resource "aws_sns_topic_policy" "audit" {
  arn = aws_sns_topic.audit.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "publish"
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "SNS:Publish"
      Resource  = aws_sns_topic.audit.arn
    }]
  })
}

resource "aws_sqs_queue" "sink" {
  name = "sink"
}

resource "aws_sns_topic_subscription" "sink" {
  topic_arn = aws_sns_topic.alerts.arn
  protocol  = "sqs"
  endpoint  = aws_sqs_queue.sink.arn
}
