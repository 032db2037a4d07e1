resource "aws_vpc" "main" {
  cidr_block = "10.92.0.0/16"
}

resource "aws_subnet" "main" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.92.${count.index}.0/24"
  availability_zone = element(["us-east-1a", "us-east-1b"], count.index)
}

resource "aws_dms_replication_subnet_group" "main" {
  replication_subnet_group_id          = "moving"
  replication_subnet_group_description = "where it runs"
  subnet_ids                           = aws_subnet.main[*].id
  tags                                 = { Name = "moving" }
}

resource "aws_dms_replication_instance" "mover" {
  replication_instance_id     = "mover"
  replication_instance_class  = "dms.t3.micro"
  allocated_storage           = 50
  replication_subnet_group_id = aws_dms_replication_subnet_group.main.id
  apply_immediately           = true
  tags                        = { Name = "mover" }
}

resource "aws_dms_endpoint" "from" {
  endpoint_id   = "from"
  endpoint_type = "source"
  engine_name   = "mysql"
  server_name   = "old.example.com"
  port          = 3306
  username      = "u"
  password      = "hunter22"
  database_name = "d"
  tags          = { Name = "from" }
}

resource "aws_dms_endpoint" "to" {
  endpoint_id   = "to"
  endpoint_type = "target"
  engine_name   = "postgres"
  server_name   = "new.example.com"
  port          = 5432
  username      = "u"
  password      = "hunter22"
  database_name = "d"
}
