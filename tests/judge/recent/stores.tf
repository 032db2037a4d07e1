resource "aws_vpc" "main" {
  cidr_block = "10.31.0.0/16"
}

resource "aws_subnet" "main" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.31.${count.index}.0/24"
  availability_zone = element(["us-east-1a", "us-east-1b"], count.index)
}

resource "aws_security_group" "stores" {
  name   = "stores"
  vpc_id = aws_vpc.main.id
}

resource "aws_memorydb_subnet_group" "main" {
  name        = "main"
  description = "both zones"
  subnet_ids  = aws_subnet.main[*].id
  tags        = { Team = "shop" }
}

resource "aws_memorydb_user" "app" {
  user_name     = "app"
  access_string = "on ~app* &* +@read"
  authentication_mode {
    type      = "password"
    passwords = ["not-a-real-one-1"]
  }
  tags = { Team = "shop" }
}

resource "aws_memorydb_cluster" "carts" {
  acl_name                 = "open-access"
  name                     = "carts"
  description              = "open carts"
  node_type                = "db.t4g.small"
  num_shards               = 1
  num_replicas_per_shard   = 1
  security_group_ids       = [aws_security_group.stores.id]
  subnet_group_name        = aws_memorydb_subnet_group.main.name
  maintenance_window       = "sun:02:00-sun:03:00"
  snapshot_retention_limit = 3
  tags                     = { Team = "shop" }
}

resource "aws_opensearchserverless_security_policy" "keys" {
  name        = "keys"
  type        = "encryption"
  description = "with AWS's own keys"
  policy      = jsonencode({ Rules = [{ Resource = ["collection/logs-*"], ResourceType = "collection" }], AWSOwnedKey = true })
}

resource "aws_lakeformation_resource" "lake" {
  arn      = "arn:aws:s3:::lake"
  role_arn = "arn:aws:iam::123456789012:role/lake"
}

resource "aws_lakeformation_lf_tag" "level" {
  key    = "level"
  values = ["public", "secret"]
}

resource "aws_osis_pipeline" "intake" {
  pipeline_name               = "intake"
  min_units                   = 1
  max_units                   = 2
  pipeline_configuration_body = <<-EOT
    version: "2"
    log-pipeline:
      source:
        http:
          path: /logs
      sink:
        - s3:
            bucket: logs
  EOT
  tags                        = { Team = "platform" }
}
