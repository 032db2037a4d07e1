locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }] })
  read  = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "*" }] })
}

resource "aws_iam_role" "app" {
  name                 = "app"
  description          = "app"
  max_session_duration = 3600
  assume_role_policy   = local.trust
  tags                 = { Env = "prod" }
}

resource "aws_iam_role" "inline" {
  name               = "inline"
  assume_role_policy = local.trust
  inline_policy {
    name   = "read"
    policy = local.read
  }
}

resource "aws_iam_role_policy" "app" {
  name   = "read"
  role   = aws_iam_role.app.id
  policy = local.read
}

resource "aws_iam_policy" "read" {
  name        = "read"
  description = "read"
  policy      = local.read
}

resource "aws_iam_role_policy_attachment" "read" {
  role       = aws_iam_role.app.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_user" "bob" {
  name = "bob"
  path = "/team/"
  tags = { Team = "core" }
}

resource "aws_iam_user" "each" {
  for_each = toset(["eve", "ann"])
  name     = each.key
}

resource "aws_iam_user_policy_attachment" "bob" {
  user       = aws_iam_user.bob.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_user_policy" "bob" {
  name   = "own"
  user   = aws_iam_user.bob.name
  policy = local.read
}

resource "aws_iam_group" "ops" {
  name = "ops"
}

resource "aws_iam_group_policy_attachment" "ops" {
  group      = aws_iam_group.ops.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_user_group_membership" "bob" {
  user   = aws_iam_user.bob.name
  groups = [aws_iam_group.ops.name]
}

resource "aws_iam_instance_profile" "app" {
  name = "app"
  role = aws_iam_role.app.name
}

resource "aws_iam_access_key" "bob" {
  user = aws_iam_user.bob.name
}

resource "aws_iam_account_password_policy" "strict" {
  minimum_password_length      = 14
  require_symbols              = true
  allow_users_to_change_password = true
}

resource "aws_iam_account_alias" "judge" {
  account_alias = "judge-account"
}
