variable "name" {
  type = string
}

module "queues" {
  source = "../queue"
  name   = var.name
}

resource "aws_sns_topic" "news" {
  count = 2
  name  = "${var.name}-news-${count.index}"
}
