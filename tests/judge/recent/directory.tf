resource "aws_organizations_organization" "main" {
  feature_set                   = "ALL"
  enabled_policy_types          = ["SERVICE_CONTROL_POLICY", "TAG_POLICY"]
  aws_service_access_principals = ["cloudtrail.amazonaws.com", "sso.amazonaws.com"]
}

resource "aws_organizations_organizational_unit" "workloads" {
  name      = "workloads"
  parent_id = aws_organizations_organization.main.roots[0].id
  tags      = { Team = "platform" }
}

resource "aws_organizations_organizational_unit" "prod" {
  name      = "prod"
  parent_id = aws_organizations_organizational_unit.workloads.id
}

resource "aws_organizations_policy" "regions" {
  name        = "regions"
  description = "where we are"
  type        = "SERVICE_CONTROL_POLICY"
  content = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Action = "*", Resource = "*", Condition = { StringNotEquals = { "aws:RequestedRegion" = "eu-west-1" } } }]
  })
  tags = { Team = "platform" }
}

resource "aws_organizations_policy_attachment" "regions" {
  policy_id = aws_organizations_policy.regions.id
  target_id = aws_organizations_organizational_unit.workloads.id
}

resource "aws_organizations_account" "shop" {
  name      = "shop"
  email     = "shop@example.com"
  parent_id = aws_organizations_organizational_unit.workloads.id
  tags      = { Team = "shop" }
}

resource "aws_organizations_delegated_administrator" "shop" {
  account_id        = aws_organizations_account.shop.id
  service_principal = "config-multiaccountsetup.amazonaws.com"
}

data "aws_ssoadmin_instances" "main" {}

locals {
  instance = tolist(data.aws_ssoadmin_instances.main.arns)[0]
  store    = tolist(data.aws_ssoadmin_instances.main.identity_store_ids)[0]
}

resource "aws_ssoadmin_permission_set" "operators" {
  name             = "operators"
  description      = "who operates"
  instance_arn     = local.instance
  session_duration = "PT2H"
  relay_state      = "https://console.aws.amazon.com/ec2"
}

resource "aws_ssoadmin_managed_policy_attachment" "view" {
  instance_arn       = local.instance
  managed_policy_arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
  permission_set_arn = aws_ssoadmin_permission_set.operators.arn
}

resource "aws_ssoadmin_customer_managed_policy_attachment" "extra" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operators.arn
  customer_managed_policy_reference {
    name = "extra"
    path = "/"
  }
}

resource "aws_ssoadmin_permission_set_inline_policy" "restart" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operators.arn
  inline_policy      = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["ec2:RebootInstances", "ec2:StartInstances"], Resource = "*" }] })
}

resource "aws_ssoadmin_account_assignment" "operators" {
  instance_arn       = local.instance
  permission_set_arn = aws_ssoadmin_permission_set.operators.arn
  principal_id       = aws_identitystore_group.operators.group_id
  principal_type     = "GROUP"
  target_id          = "123456789012"
  target_type        = "AWS_ACCOUNT"
}

resource "aws_identitystore_group" "operators" {
  identity_store_id = local.store
  display_name      = "operators"
  description       = "who operates"
}

resource "aws_identitystore_user" "kim" {
  identity_store_id = local.store
  display_name      = "Kim Doe"
  user_name         = "kim"
  name {
    given_name  = "Kim"
    family_name = "Doe"
  }
  emails {
    value = "kim@example.com"
  }
}

resource "aws_identitystore_group_membership" "kim" {
  identity_store_id = local.store
  group_id          = aws_identitystore_group.operators.group_id
  member_id         = aws_identitystore_user.kim.user_id
}

resource "aws_ram_resource_share" "network" {
  name                      = "network"
  allow_external_principals = false
}

resource "aws_resourcegroups_group" "web" {
  name        = "web"
  description = "all of the web"
  resource_query {
    query = jsonencode({ ResourceTypeFilters = ["AWS::EC2::Instance"], TagFilters = [{ Key = "Team", Values = ["web"] }] })
  }
  tags = { Team = "web" }
}

resource "aws_servicecatalog_portfolio" "tools" {
  name          = "tools"
  description   = "what people may start"
  provider_name = "platform"
  tags          = { Team = "platform" }
}

resource "aws_quicksight_group" "readers" {
  group_name  = "readers"
  description = "who reads"
}
