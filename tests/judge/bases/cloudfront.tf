resource "aws_cloudfront_distribution" "site" {
  enabled             = true
  comment             = "site"
  default_root_object = "index.html"
  price_class         = "PriceClass_100"
  wait_for_deployment = false
  origin {
    domain_name = "site.s3.amazonaws.com"
    origin_id   = "s3"
  }
  default_cache_behavior {
    allowed_methods        = ["GET", "HEAD"]
    cached_methods         = ["GET", "HEAD"]
    target_origin_id       = "s3"
    viewer_protocol_policy = "https-only"
    forwarded_values {
      query_string = false
      cookies {
        forward = "none"
      }
    }
  }
  restrictions {
    geo_restriction {
      restriction_type = "none"
    }
  }
  viewer_certificate {
    cloudfront_default_certificate = true
  }
  tags = { Env = "prod" }
}
