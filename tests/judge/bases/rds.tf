resource "aws_db_instance" "main" {
  identifier              = "main"
  engine                  = "postgres"
  engine_version          = "14.6"
  instance_class          = "db.t3.micro"
  allocated_storage       = 20
  username                = "root"
  password                = "not-a-real-one"
  skip_final_snapshot     = true
  backup_retention_period = 3
  deletion_protection     = false
  tags                    = { Env = "prod" }
}

resource "aws_db_parameter_group" "pg" {
  name   = "pg"
  family = "postgres14"
  parameter {
    name  = "log_connections"
    value = "1"
  }
}

resource "aws_rds_cluster" "aurora" {
  cluster_identifier      = "aurora"
  engine                  = "aurora-mysql"
  master_username         = "root"
  master_password         = "not-a-real-one"
  backup_retention_period = 5
  skip_final_snapshot     = true
  deletion_protection     = false
}

resource "aws_rds_cluster_instance" "one" {
  identifier         = "aurora-one"
  cluster_identifier = aws_rds_cluster.aurora.id
  engine             = "aurora-mysql"
  instance_class     = "db.r5.large"
}
