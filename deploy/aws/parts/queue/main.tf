# A queue that EventBridge rules may send to, over TLS only.

variable "name" {
  description = "Name of the queue."
  type        = string
}

variable "rules" {
  description = "ARNs of the rules."
  type        = list(string)
}

variable "retention" {
  description = "Seconds after which a message is gone."
  type        = number
}

variable "redrive_policy" {
  description = "When a message is moved to which other queue, as JSON."
  type        = string
  default     = null
}

variable "tags" {
  description = "Tags of the queue."
  type        = map(string)
}

resource "aws_sqs_queue" "it" {
  name                       = var.name
  message_retention_seconds  = var.retention
  visibility_timeout_seconds = 120
  receive_wait_time_seconds  = 20
  redrive_policy             = var.redrive_policy
  tags                       = var.tags
}

data "aws_caller_identity" "here" {}

data "aws_iam_policy_document" "send" {
  statement {
    sid       = "EventBridge"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.it.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = var.rules
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.here.account_id]
    }
  }

  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.it.arn]

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

resource "aws_sqs_queue_policy" "it" {
  queue_url = aws_sqs_queue.it.id
  policy    = data.aws_iam_policy_document.send.json
}

output "arn" {
  description = "The queue."
  value       = aws_sqs_queue.it.arn
}
