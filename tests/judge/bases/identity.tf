locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }] })
  read  = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "*" }] })
}

resource "aws_iam_policy" "limit" {
  name   = "limit"
  policy = local.read
  tags   = { Env = "prod" }
}

resource "aws_iam_policy" "other" {
  name   = "other"
  policy = local.read
}

resource "aws_iam_role" "bounded" {
  name                 = "bounded"
  assume_role_policy   = local.trust
  permissions_boundary = aws_iam_policy.limit.arn
}

resource "aws_iam_role" "owned" {
  name                = "owned"
  assume_role_policy  = local.trust
  managed_policy_arns = [aws_iam_policy.other.arn]
}

resource "aws_iam_user" "mia" {
  name                 = "mia"
  permissions_boundary = aws_iam_policy.limit.arn
}

resource "aws_iam_group" "devs" {
  name = "devs"
}

resource "aws_iam_group_policy" "devs" {
  name   = "devs"
  group  = aws_iam_group.devs.name
  policy = local.read
}

resource "aws_iam_group_membership" "devs" {
  name  = "devs"
  group = aws_iam_group.devs.name
  users = [aws_iam_user.mia.name]
}

resource "aws_iam_policy_attachment" "other" {
  name       = "other"
  policy_arn = aws_iam_policy.other.arn
  groups     = [aws_iam_group.devs.name]
  roles      = [aws_iam_role.owned.name]
}

resource "aws_iam_instance_profile" "owned" {
  name = "owned"
  role = aws_iam_role.owned.name
}

resource "aws_iam_openid_connect_provider" "ci" {
  url             = "https://ci.example.com"
  client_id_list  = ["sts.amazonaws.com"]
  thumbprint_list = ["6938fd4d98bab03faadb97b34396831e3780aea1"]
}
