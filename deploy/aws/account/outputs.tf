output "source" {
  description = "For open_params of the plugin."
  value       = "sqs://${module.records.arn}"
}

output "role_arn" {
  description = "For init_config.aws.role_arn; empty when no role was made."
  value       = join("", aws_iam_role.falco[*].arn)
}

output "read_policy" {
  description = "What Falco needs, for a role that exists already."
  value       = data.aws_iam_policy_document.read.json
}

output "store" {
  description = "For init_config.store; empty when no table was made."
  value       = join("", [for table in aws_dynamodb_table.drift : "dynamodb://${table.name}"])
}

output "dead_letter_queue" {
  description = "Messages that TFDrift could not use, or that EventBridge could not deliver."
  value       = module.dead.arn
}

output "queue_arn" {
  description = "The queue."
  value       = module.records.arn
}
