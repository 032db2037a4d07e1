# The network of the shop: one VPC, and the security groups that other states refer to.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
  backend "local" {
    path = "../../state/network.tfstate"
  }
}

provider "aws" {
  region = "eu-central-1"
  default_tags {
    tags = {
      ManagedBy = "terraform"
    }
  }
}

module "vpc" {
  source = "./vpc"
  cidr   = "10.20.0.0/16"
  zones = {
    a = "eu-central-1a"
    b = "eu-central-1b"
  }
}

# Rules inside the group: Terraform owns the whole list.
resource "aws_security_group" "web" {
  name        = "shop-web"
  description = "Load balancer to web servers"
  vpc_id      = module.vpc.id

  ingress {
    description = "HTTPS from everywhere"
    protocol    = "tcp"
    from_port   = 443
    to_port     = 443
    cidr_blocks = ["0.0.0.0/0"]
  }

  egress {
    protocol    = "-1"
    from_port   = 0
    to_port     = 0
    cidr_blocks = ["0.0.0.0/0"]
  }

  tags = {
    Name = "shop-web"
  }
}

# Rules as resources of their own: Terraform owns each rule, not the list.
resource "aws_security_group" "db" {
  name        = "shop-db"
  description = "Web servers to database"
  vpc_id      = module.vpc.id

  tags = {
    Name = "shop-db"
  }
}

resource "aws_vpc_security_group_ingress_rule" "db_from_web" {
  security_group_id            = aws_security_group.db.id
  description                  = "PostgreSQL from the web servers"
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  referenced_security_group_id = aws_security_group.web.id
}

output "web_security_group_id" {
  value = aws_security_group.web.id
}

output "public_subnet_ids" {
  value = module.vpc.public_subnet_ids
}
