module "team" {
  for_each = toset(["red", "blue"])
  source   = "./modules/team"
  name     = each.key
}

module "one" {
  count  = 2
  source = "./modules/queue"
  name   = "one-${count.index}"
}

resource "aws_sqs_queue" "tagged" {
  name = "tagged"
  tags = { Name = "tagged" }
}

resource "aws_sqs_queue" "ignored_tags" {
  name = "ignored-tags"
  tags = { Env = "prod" }
  lifecycle {
    ignore_changes = [tags, tags_all]
  }
}

resource "aws_sqs_queue" "ignored_one_tag" {
  name = "ignored-one-tag"
  tags = { Env = "prod", Version = "1" }
  lifecycle {
    ignore_changes = [tags["Version"], tags_all["Version"]]
  }
}

resource "aws_sqs_queue" "ignored_all" {
  name = "ignored-all"
  lifecycle {
    ignore_changes = all
  }
}
