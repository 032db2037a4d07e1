resource "aws_swf_domain" "orders" {
  name                                        = "orders"
  description                                 = "orders' workflows"
  workflow_execution_retention_period_in_days = 10
  tags                                        = { Team = "shop" }
}

resource "aws_ses_configuration_set" "mails" {
  name = "mails"
}

resource "aws_ses_template" "welcome" {
  name    = "welcome"
  subject = "Welcome"
  text    = "Hello"
  html    = "<p>Hello</p>"
}

resource "aws_ses_receipt_rule_set" "inbox" {
  rule_set_name = "inbox"
}

resource "aws_ses_receipt_rule" "store" {
  name          = "store"
  rule_set_name = aws_ses_receipt_rule_set.inbox.rule_set_name
  recipients    = ["shop@example.com"]
  enabled       = true
  scan_enabled  = true
}

resource "aws_ses_active_receipt_rule_set" "inbox" {
  rule_set_name = aws_ses_receipt_rule_set.inbox.rule_set_name
}

resource "aws_ses_domain_identity" "shop" {
  domain = "shop.example.com"
}

resource "aws_ses_domain_mail_from" "shop" {
  domain           = aws_ses_domain_identity.shop.domain
  mail_from_domain = "mail.shop.example.com"
}

resource "aws_sesv2_dedicated_ip_pool" "bulk" {
  pool_name = "bulk"
}

resource "aws_sesv2_email_identity" "news" {
  email_identity = "news@example.com"
}
