resource "aws_appconfig_application" "shop" {
  name        = "shop"
  description = "settings of the shop"
  tags        = { Name = "shop" }
}

resource "aws_appconfig_application" "office" {
  name = "office"
}

resource "aws_appconfig_configuration_profile" "flags" {
  application_id = aws_appconfig_application.shop.id
  name           = "flags"
  location_uri   = "hosted"
  description    = "flags of the shop"
  validator {
    type    = "JSON_SCHEMA"
    content = jsonencode({ type = "object" })
  }
  tags = { Name = "flags" }
}

resource "aws_appconfig_hosted_configuration_version" "first" {
  application_id           = aws_appconfig_application.shop.id
  configuration_profile_id = aws_appconfig_configuration_profile.flags.configuration_profile_id
  content_type             = "application/json"
  content                  = jsonencode({ dark = true })
  description              = "first"
}

resource "aws_prometheus_workspace" "metrics" {
  alias = "metrics"
  tags  = { Name = "metrics", Team = "ops" }
}

resource "aws_prometheus_workspace" "bare" {
}

resource "aws_prometheus_rule_group_namespace" "rules" {
  name         = "rules"
  workspace_id = aws_prometheus_workspace.metrics.id
  data         = "groups:\n  - name: a\n    rules: []\n"
}

resource "aws_cloudwatch_log_group" "prometheus" {
  name = "/aws/prometheus/logs"
}
