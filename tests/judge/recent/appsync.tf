resource "aws_appsync_graphql_api" "orders" {
  name                = "orders"
  authentication_type = "API_KEY"
  schema              = "type Query { order: String }"
  xray_enabled        = true
  tags                = { Name = "orders" }
}

resource "aws_appsync_graphql_api" "staff" {
  name                = "staff"
  authentication_type = "AWS_IAM"
  log_config {
    cloudwatch_logs_role_arn = "arn:aws:iam::123456789012:role/logs"
    field_log_level          = "ERROR"
  }
}

resource "aws_appsync_api_key" "web" {
  api_id      = aws_appsync_graphql_api.orders.id
  description = "of the web site"
  expires     = "2027-06-01T00:00:00Z"
}

resource "aws_appsync_api_cache" "orders" {
  api_id               = aws_appsync_graphql_api.orders.id
  api_caching_behavior = "FULL_REQUEST_CACHING"
  type                 = "SMALL"
  ttl                  = 300
}
