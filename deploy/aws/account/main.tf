# Every call that is not a read.  Records without readOnly are let through: TFDrift tells them apart.
resource "aws_cloudwatch_event_rule" "calls" {
  name        = var.name
  description = "API calls that change something, for TFDrift"
  tags        = var.tags

  event_pattern = jsonencode({
    detail-type = [
      "AWS API Call via CloudTrail",
      "AWS Console Action via CloudTrail",
      "AWS Service Event via CloudTrail",
    ]
    detail = { readOnly = [false, { exists = false }] }
  })
}

resource "aws_cloudwatch_event_target" "queue" {
  rule      = aws_cloudwatch_event_rule.calls.name
  target_id = "queue"
  arn       = aws_sqs_queue.records.arn

  dead_letter_config {
    arn = aws_sqs_queue.dead.arn
  }
}

resource "aws_sqs_queue" "records" {
  name                       = var.name
  message_retention_seconds  = 345600
  visibility_timeout_seconds = 120
  receive_wait_time_seconds  = 20
  tags                       = var.tags

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    # Every restart of Falco counts for what it has not finished: few receives would move good messages.
    maxReceiveCount = 100
  })
}

resource "aws_sqs_queue" "dead" {
  name                      = "${var.name}-dead"
  message_retention_seconds = 1209600
  tags                      = var.tags
}

data "aws_iam_policy_document" "send" {
  for_each = { records = aws_sqs_queue.records.arn, dead = aws_sqs_queue.dead.arn }

  statement {
    sid       = "EventBridge"
    actions   = ["sqs:SendMessage"]
    resources = [each.value]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = concat([aws_cloudwatch_event_rule.calls.arn], var.more_rules)
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [each.value]

    principals {
      type        = "AWS"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_sqs_queue_policy" "records" {
  queue_url = aws_sqs_queue.records.id
  policy    = data.aws_iam_policy_document.send["records"].json
}

resource "aws_sqs_queue_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id
  policy    = data.aws_iam_policy_document.send["dead"].json
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
    resources = [aws_sqs_queue.records.arn]
  }
}

resource "aws_iam_role_policy" "read" {
  count  = length(var.trusted_principals) > 0 ? 1 : 0
  name   = "read"
  role   = aws_iam_role.falco[0].id
  policy = data.aws_iam_policy_document.read.json
}
