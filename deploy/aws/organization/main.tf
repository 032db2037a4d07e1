# In the central account: a bus that every account of the organization may put calls on, and the queue behind it.

variable "name" {
  description = "Name of bus and queue, and the beginning of every other name."
  type        = string
  default     = "tfdrift"
}

variable "organization_id" {
  description = "The organization's id, o-..."
  type        = string

  validation {
    condition     = can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "The organization id looks like o-abc123def4."
  }
}

variable "trusted_principals" {
  description = "ARNs that may assume Falco's role; without any, no role is made."
  type        = list(string)
  default     = []
}

variable "external_id" {
  description = "External id that is asked for when the role is assumed."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}

# The central account's own calls, and the queue.
module "account" {
  source = "../account"

  name               = var.name
  trusted_principals = var.trusted_principals
  external_id        = var.external_id
  more_rules         = [module.calls.arn]
  tags               = var.tags
}

resource "aws_cloudwatch_event_bus" "central" {
  name = var.name
  tags = var.tags
}

resource "aws_cloudwatch_event_permission" "organization" {
  principal      = "*"
  statement_id   = "organization"
  action         = "events:PutEvents"
  event_bus_name = aws_cloudwatch_event_bus.central.name

  condition {
    type  = "StringEquals"
    key   = "aws:PrincipalOrgID"
    value = var.organization_id
  }
}

module "calls" {
  source = "../parts/rule"

  name              = var.name
  event_bus_name    = aws_cloudwatch_event_bus.central.name
  target            = { queue = module.account.queue_arn }
  dead_letter_queue = module.account.dead_letter_queue
  tags              = var.tags
}

output "bus_arn" {
  description = "For the member module."
  value       = aws_cloudwatch_event_bus.central.arn
}

output "source" {
  description = "For open_params of the plugin."
  value       = module.account.source
}

output "role_arn" {
  description = "For init_config.aws.role_arn; empty when no role was made."
  value       = module.account.role_arn
}

output "dead_letter_queue" {
  description = "Messages that TFDrift could not use, or that EventBridge could not deliver from the central bus."
  value       = module.account.dead_letter_queue
}
