module "calls" {
  source = "../parts/rule"

  name              = var.name
  target            = { queue = module.records.arn }
  dead_letter_queue = module.dead.arn
  tags              = var.tags
}

locals {
  senders = concat([module.calls.arn], var.more_rules)
}

module "records" {
  source = "../parts/queue"

  name      = var.name
  rules     = local.senders
  retention = 345600
  tags      = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = module.dead.arn
    # Each restart of Falco counts for what it had received and not finished: with few receives, good messages would be
    # moved.  A Falco that crashes again and again has three hours, and a file that cannot be read three days.
    maxReceiveCount = 100
  })
}

module "dead" {
  source = "../parts/queue"

  name      = "${var.name}-dead"
  rules     = local.senders
  retention = 1209600
  tags      = var.tags
}

data "aws_iam_policy_document" "assume" {
  count = length(var.trusted_principals) > 0 ? 1 : 0

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_principals
    }

    dynamic "condition" {
      for_each = var.external_id == "" ? [] : [var.external_id]

      content {
        test     = "StringEquals"
        variable = "sts:ExternalId"
        values   = [condition.value]
      }
    }
  }
}

resource "aws_iam_role" "falco" {
  count              = length(var.trusted_principals) > 0 ? 1 : 0
  name               = "${var.name}-falco"
  description        = "Lets Falco read ${var.name}"
  assume_role_policy = data.aws_iam_policy_document.assume[0].json
  tags               = var.tags
}

data "aws_iam_policy_document" "read" {
  statement {
    actions = [
      "sqs:ChangeMessageVisibility",
      "sqs:DeleteMessage",
      "sqs:GetQueueUrl",
      "sqs:ReceiveMessage",
    ]
    resources = [module.records.arn]
  }

  dynamic "statement" {
    for_each = aws_dynamodb_table.drift

    content {
      actions = [
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
      ]
      resources = [statement.value.arn]
    }
  }
}

# A drift costs a few writes, and a record that touches nothing costs none.
resource "aws_dynamodb_table" "drift" {
  count        = var.shared_store ? 1 : 0
  name         = var.name
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "kind"
  range_key    = "id"
  tags         = var.tags

  attribute {
    name = "kind"
    type = "S"
  }

  attribute {
    name = "id"
    type = "S"
  }

  ttl {
    attribute_name = "expires"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }

  server_side_encryption {
    enabled = true
  }
}

resource "aws_iam_role_policy" "read" {
  count  = length(var.trusted_principals) > 0 ? 1 : 0
  name   = "read"
  role   = aws_iam_role.falco[0].id
  policy = data.aws_iam_policy_document.read.json
}
