resource "aws_sns_topic" "events" {
  name = "bucket-events"
}

resource "aws_s3_bucket" "logs" {
  bucket = "judge-logs"
  acl    = "log-delivery-write"
}

resource "aws_s3_bucket" "main" {
  bucket        = "judge-main"
  request_payer = "BucketOwner"
  logging {
    target_bucket = aws_s3_bucket.logs.id
    target_prefix = "main/"
  }
  lifecycle_rule {
    id      = "archive"
    enabled = true
    prefix  = "old/"
    tags    = { Keep = "no" }
    transition {
      days          = 30
      storage_class = "STANDARD_IA"
    }
    transition {
      days          = 90
      storage_class = "GLACIER"
    }
    noncurrent_version_expiration {
      days = 60
    }
  }
}

resource "aws_s3_bucket_notification" "main" {
  bucket = aws_s3_bucket.main.id
  topic {
    id        = "made"
    topic_arn = aws_sns_topic.events.arn
    events    = ["s3:ObjectCreated:*"]
  }
}

resource "aws_s3_bucket_ownership_controls" "main" {
  bucket = aws_s3_bucket.main.id
  rule {
    object_ownership = "BucketOwnerPreferred"
  }
}
