resource "aws_vpc" "main" {
  cidr_block = "10.30.0.0/16"
}

resource "aws_subnet" "main" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.30.${count.index}.0/24"
  availability_zone = element(["us-east-1a", "us-east-1b"], count.index)
}

resource "aws_security_group" "brokers" {
  name   = "brokers"
  vpc_id = aws_vpc.main.id
}

resource "aws_iam_role" "delivery" {
  name = "delivery"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "firehose.amazonaws.com" } }]
  })
}

resource "aws_s3_bucket" "landing" {
  bucket = "landing"
}

resource "aws_kinesis_firehose_delivery_stream" "clicks" {
  name        = "clicks"
  destination = "extended_s3"
  extended_s3_configuration {
    role_arn            = aws_iam_role.delivery.arn
    bucket_arn          = aws_s3_bucket.landing.arn
    prefix              = "clicks/"
    error_output_prefix = "errors/"
    buffering_size      = 10
    buffering_interval  = 300
    compression_format  = "GZIP"
    cloudwatch_logging_options {
      enabled         = true
      log_group_name  = "firehose"
      log_stream_name = "clicks"
    }
  }
  tags = { Team = "web", Stage = "prod" }
}

resource "aws_kinesis_firehose_delivery_stream" "partner" {
  name        = "partner"
  destination = "http_endpoint"
  http_endpoint_configuration {
    url                = "https://partner.example.com/ingest"
    name               = "partner"
    buffering_size     = 5
    buffering_interval = 60
    role_arn           = aws_iam_role.delivery.arn
    s3_backup_mode     = "FailedDataOnly"
    s3_configuration {
      role_arn           = aws_iam_role.delivery.arn
      bucket_arn         = aws_s3_bucket.landing.arn
      buffering_size     = 5
      buffering_interval = 300
    }
  }
}

resource "aws_mq_broker" "orders" {
  broker_name                = "orders"
  engine_type                = "ActiveMQ"
  engine_version             = "5.18"
  auto_minor_version_upgrade = true
  host_instance_type         = "mq.t3.micro"
  security_groups            = [aws_security_group.brokers.id]
  subnet_ids                 = [aws_subnet.main[0].id]
  user {
    username = "admin"
    password = "not-a-real-one-1"
  }
  tags = { Team = "orders", Stage = "prod" }
}

resource "aws_mq_configuration" "orders" {
  name           = "orders"
  description    = "queues of orders"
  engine_type    = "ActiveMQ"
  engine_version = "5.18"
  data           = "<broker xmlns=\"http://activemq.apache.org/schema/core\"></broker>"
  tags           = { Team = "orders" }
}
