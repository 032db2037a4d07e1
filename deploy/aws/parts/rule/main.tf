# Every call that is not a read, handed to a queue or bus.

variable "name" {
  description = "Name of the rule."
  type        = string
}

variable "event_bus_name" {
  description = "The bus whose calls these are."
  type        = string
  default     = "default"
}

variable "target" {
  description = "What the calls are handed to; its name in the rule is the key."
  type        = map(string)
}

variable "role_arn" {
  description = "The role that EventBridge takes to do so, where the target asks for one."
  type        = string
  default     = null
}

variable "dead_letter_queue" {
  description = "ARN of the queue for calls that could not be handed over."
  type        = string
}

variable "tags" {
  description = "Tags of the rule."
  type        = map(string)
}

resource "aws_cloudwatch_event_rule" "calls" {
  name           = var.name
  description    = "API calls that change something, for TFDrift"
  event_bus_name = var.event_bus_name
  tags           = var.tags

  # Records without readOnly are let through: TFDrift tells them apart.
  # Nobody but AWS may put events whose source begins with aws.; what an application puts under the same detail type is none.
  event_pattern = jsonencode({
    source = [{ prefix = "aws." }]
    detail-type = [
      "AWS API Call via CloudTrail",
      "AWS Console Action via CloudTrail",
      "AWS Service Event via CloudTrail",
    ]
    detail = { readOnly = [false, { exists = false }] }
  })
}

resource "aws_cloudwatch_event_target" "calls" {
  for_each       = var.target
  rule           = aws_cloudwatch_event_rule.calls.name
  event_bus_name = var.event_bus_name
  target_id      = each.key
  arn            = each.value
  role_arn       = var.role_arn

  dead_letter_config {
    arn = var.dead_letter_queue
  }
}

output "arn" {
  description = "The rule."
  value       = aws_cloudwatch_event_rule.calls.arn
}
