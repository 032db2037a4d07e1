locals {
  trust = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Principal = { Service = "ec2.amazonaws.com" }, Action = "sts:AssumeRole" }] })
  read  = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["s3:GetObject"], Resource = "*" }] })
}

resource "aws_iam_policy" "read" {
  name   = "read"
  policy = local.read
}

resource "aws_iam_group" "ops" {
  name = "ops"
}

resource "aws_iam_group_policy_attachment" "ops" {
  group      = aws_iam_group.ops.name
  policy_arn = aws_iam_policy.read.arn
}

resource "aws_iam_user" "bob" {
  name = "bob"
  path = "/team/"
}

resource "aws_iam_user_group_membership" "bob" {
  user   = aws_iam_user.bob.name
  groups = [aws_iam_group.ops.name]
}

resource "aws_iam_role" "each" {
  for_each           = toset(["api", "web"])
  name               = "svc-${each.key}"
  assume_role_policy = local.trust
  tags               = { Service = each.key }
}

resource "aws_iam_role_policy_attachment" "each" {
  for_each   = aws_iam_role.each
  role       = each.value.name
  policy_arn = aws_iam_policy.read.arn
}
