resource "aws_iam_role" "recorder" {
  name = "recorder"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "config.amazonaws.com" } }]
  })
}

resource "aws_s3_bucket" "history" {
  bucket = "config-history"
}

resource "aws_config_configuration_recorder" "main" {
  name     = "main"
  role_arn = aws_iam_role.recorder.arn
  recording_group {
    all_supported                 = false
    include_global_resource_types = false
    resource_types                = ["AWS::EC2::Instance", "AWS::S3::Bucket"]
  }
}

resource "aws_config_delivery_channel" "main" {
  name           = "main"
  s3_bucket_name = aws_s3_bucket.history.bucket
  s3_key_prefix  = "aws"
  snapshot_delivery_properties {
    delivery_frequency = "Six_Hours"
  }
  depends_on = [aws_config_configuration_recorder.main]
}

resource "aws_config_configuration_recorder_status" "main" {
  name       = aws_config_configuration_recorder.main.name
  is_enabled = true
  depends_on = [aws_config_delivery_channel.main]
}

resource "aws_config_config_rule" "versioning" {
  name        = "versioning"
  description = "buckets keep versions"
  source {
    owner             = "AWS"
    source_identifier = "S3_BUCKET_VERSIONING_ENABLED"
  }
  tags       = { Name = "versioning" }
  depends_on = [aws_config_configuration_recorder.main]
}

resource "aws_config_config_rule" "keys" {
  name             = "keys"
  input_parameters = jsonencode({ maxAccessKeyAge = "90" })
  source {
    owner             = "AWS"
    source_identifier = "ACCESS_KEYS_ROTATED"
  }
  maximum_execution_frequency = "TwentyFour_Hours"
  depends_on                  = [aws_config_configuration_recorder.main]
}

resource "aws_config_configuration_aggregator" "all" {
  name = "all"
  account_aggregation_source {
    account_ids = ["123456789012"]
    all_regions = true
  }
  tags = { Name = "all" }
}

resource "aws_config_aggregate_authorization" "other" {
  account_id = "210987654321"
  region     = "eu-west-1"
  tags       = { Name = "other" }
}

resource "aws_config_retention_configuration" "year" {
  retention_period_in_days = 365
}
