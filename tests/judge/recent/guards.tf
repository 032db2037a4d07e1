resource "aws_wafv2_ip_set" "offices" {
  name               = "offices"
  scope              = "REGIONAL"
  ip_address_version = "IPV4"
  addresses          = ["192.0.2.0/24", "198.51.100.0/24"]
  description        = "our offices"
  tags               = { Team = "edge", Stage = "prod" }
}

resource "aws_wafv2_regex_pattern_set" "bots" {
  name        = "bots"
  scope       = "REGIONAL"
  description = "who crawls"
  regular_expression {
    regex_string = "bot$"
  }
  regular_expression {
    regex_string = "^crawler"
  }
  tags = { Team = "edge" }
}

resource "aws_wafv2_rule_group" "geo" {
  name        = "geo"
  scope       = "REGIONAL"
  capacity    = 10
  description = "by country"
  rule {
    name     = "only"
    priority = 1
    action {
      allow {}
    }
    statement {
      geo_match_statement {
        country_codes = ["CH", "NL"]
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = false
      metric_name                = "only"
      sampled_requests_enabled   = false
    }
  }
  visibility_config {
    cloudwatch_metrics_enabled = false
    metric_name                = "geo"
    sampled_requests_enabled   = false
  }
  tags = { Team = "edge" }
}

resource "aws_wafv2_web_acl" "front" {
  name        = "front"
  scope       = "REGIONAL"
  description = "in front of all"
  default_action {
    allow {}
  }
  rule {
    name     = "limit"
    priority = 1
    action {
      block {}
    }
    statement {
      rate_based_statement {
        limit              = 1000
        aggregate_key_type = "IP"
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "limit"
      sampled_requests_enabled   = true
    }
  }
  rule {
    name     = "common"
    priority = 2
    override_action {
      none {}
    }
    statement {
      managed_rule_group_statement {
        name        = "AWSManagedRulesCommonRuleSet"
        vendor_name = "AWS"
      }
    }
    visibility_config {
      cloudwatch_metrics_enabled = true
      metric_name                = "common"
      sampled_requests_enabled   = true
    }
  }
  visibility_config {
    cloudwatch_metrics_enabled = true
    metric_name                = "front"
    sampled_requests_enabled   = true
  }
  tags = { Team = "edge", Stage = "prod" }
}

resource "aws_cloudwatch_log_group" "waf" {
  name = "aws-waf-logs-front"
}

resource "aws_wafv2_web_acl_logging_configuration" "front" {
  resource_arn            = aws_wafv2_web_acl.front.arn
  log_destination_configs = [aws_cloudwatch_log_group.waf.arn]
}

resource "aws_guardduty_detector" "main" {
  enable                       = true
  finding_publishing_frequency = "ONE_HOUR"
  tags                         = { Team = "security" }
}

resource "aws_guardduty_filter" "noise" {
  name        = "noise"
  action      = "ARCHIVE"
  description = "what we know"
  detector_id = aws_guardduty_detector.main.id
  rank        = 1
  finding_criteria {
    criterion {
      field  = "region"
      equals = ["eu-west-1"]
    }
    criterion {
      field     = "severity"
      less_than = "4"
    }
  }
}

resource "aws_macie2_account" "main" {
  finding_publishing_frequency = "FIFTEEN_MINUTES"
  status                       = "ENABLED"
}

resource "aws_securityhub_account" "main" {
  enable_default_standards = false
}

resource "aws_inspector2_enabler" "main" {
  account_ids    = ["123456789012"]
  resource_types = ["EC2", "ECR"]
}

resource "aws_shield_protection" "address" {
  name         = "address"
  resource_arn = "arn:aws:ec2:us-east-1:123456789012:eip-allocation/${aws_eip.front.allocation_id}"
  tags         = { Team = "edge" }
}

resource "aws_eip" "front" {
  domain = "vpc"
}

resource "aws_signer_signing_profile" "code" {
  name        = "code"
  platform_id = "AWSLambda-SHA384-ECDSA"
  signature_validity_period {
    value = 12
    type  = "MONTHS"
  }
  tags = { Team = "platform" }
}
