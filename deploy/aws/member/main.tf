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

module "calls" {
  source = "../parts/rule"

  name              = var.name
  target            = { bus = var.bus_arn }
  role_arn          = aws_iam_role.forward.arn
  dead_letter_queue = module.dead.arn
  tags              = var.tags
}

# EventBridge wants it in the rule's own account and region.
module "dead" {
  source = "../parts/queue"

  name      = "${var.name}-dead"
  rules     = [module.calls.arn]
  retention = 1209600
  tags      = var.tags
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

output "dead_letter_queue" {
  description = "Calls that EventBridge could not hand to the central bus."
  value       = module.dead.arn
}
