resource "aws_s3_bucket" "data" {
  bucket = "judge-data"
  tags   = { Env = "prod", Team = "data" }
  versioning {
    enabled = true
  }
  website {
    index_document = "index.html"
    error_document = "error.html"
  }
  cors_rule {
    allowed_methods = ["GET"]
    allowed_origins = ["https://example.com"]
    max_age_seconds = 300
  }
  lifecycle_rule {
    id      = "tmp"
    enabled = true
    prefix  = "tmp/"
    expiration {
      days = 7
    }
  }
  server_side_encryption_configuration {
    rule {
      apply_server_side_encryption_by_default {
        sse_algorithm = "AES256"
      }
    }
  }
}

resource "aws_s3_bucket" "plain" {
  bucket = "judge-plain"
}

resource "aws_s3_bucket_public_access_block" "data" {
  bucket                  = aws_s3_bucket.data.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket" "shared" {
  bucket = "judge-shared"
}

resource "aws_s3_bucket_policy" "shared" {
  bucket = aws_s3_bucket.shared.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "read"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::123456789012:root" }
      Action    = "s3:GetObject"
      Resource  = "arn:aws:s3:::judge-shared/*"
    }]
  })
}

resource "aws_s3_bucket_object" "conf" {
  bucket  = aws_s3_bucket.plain.id
  key     = "conf/app.json"
  content = "{}"
  tags    = { Env = "prod" }
}
