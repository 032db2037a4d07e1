variable "name" {
  type = string
}

resource "aws_sqs_queue" "q" {
  for_each = toset(["in", "out"])
  name     = "${var.name}-${each.key}"
  tags     = { Direction = each.key }
}
