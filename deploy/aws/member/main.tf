# In a member account: hands every call that is not a read to the central bus.

variable "name" {
  description = "Beginning of every name."
  type        = string
  default     = "tfdrift"
}

variable "bus_arn" {
  description = "The output bus_arn of the organization module."
  type        = string
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}

data "aws_region" "here" {}

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

resource "aws_cloudwatch_event_target" "bus" {
  rule      = aws_cloudwatch_event_rule.calls.name
  target_id = "bus"
  arn       = var.bus_arn
  role_arn  = aws_iam_role.forward.arn
}

data "aws_iam_policy_document" "assume" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "forward" {
  # Roles are global, and this is applied once in each region.
  name               = "${var.name}-forward-${data.aws_region.here.name}"
  description        = "Lets EventBridge hand calls to the bus of TFDrift"
  assume_role_policy = data.aws_iam_policy_document.assume.json
  tags               = var.tags
}

data "aws_iam_policy_document" "forward" {
  statement {
    actions   = ["events:PutEvents"]
    resources = [var.bus_arn]
  }
}

resource "aws_iam_role_policy" "forward" {
  name   = "forward"
  role   = aws_iam_role.forward.id
  policy = data.aws_iam_policy_document.forward.json
}
