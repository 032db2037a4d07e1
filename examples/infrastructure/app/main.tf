# The shop itself: web servers, a bastion host, buckets, and the role that deploys.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
  backend "local" {
    path = "../../state/app.tfstate"
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

data "terraform_remote_state" "network" {
  backend = "local"
  config = {
    path = "../../state/network.tfstate"
  }
}

module "web" {
  source            = "./web"
  servers           = 2
  instance_type     = "t3.micro"
  subnet_ids        = values(data.terraform_remote_state.network.outputs.public_subnet_ids)
  security_group_id = data.terraform_remote_state.network.outputs.web_security_group_id
}

resource "aws_instance" "bastion" {
  ami           = "ami-0a1b2c3d4e5f60718"
  instance_type = "t3.nano"
  subnet_id     = data.terraform_remote_state.network.outputs.public_subnet_ids["a"]

  tags = {
    Name = "shop-bastion"
  }
}

resource "aws_s3_bucket" "data" {
  for_each = toset(["assets", "invoices"])

  bucket = "example-shop-${each.key}"

  tags = {
    Name = "shop-${each.key}"
  }
}

resource "aws_kms_key" "data" {
  description         = "Customer data of the shop"
  enable_key_rotation = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  for_each = aws_s3_bucket.data

  bucket = each.value.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
    bucket_key_enabled = true
  }
}

resource "aws_s3_bucket_versioning" "data" {
  for_each = aws_s3_bucket.data

  bucket = each.value.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "data" {
  for_each = aws_s3_bucket.data

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_policy" "assets" {
  bucket = aws_s3_bucket.data["assets"].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "WebServersRead"
      Effect    = "Allow"
      Principal = { AWS = module.web.role_arn }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.data["assets"].arn}/*"
    }]
  })
}

resource "aws_iam_role" "deploy" {
  name = "shop-deploy"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::111122223333:role/ci" }
      Action    = "sts:AssumeRole"
    }]
  })
}
