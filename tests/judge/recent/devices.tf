resource "aws_iam_role" "things" {
  name = "things"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["iot.amazonaws.com", "sagemaker.amazonaws.com", "transfer.amazonaws.com", "lexv2.amazonaws.com"] } }]
  })
}

resource "aws_iot_thing" "lamp" {
  name            = "lamp"
  thing_type_name = aws_iot_thing_type.light.name
  attributes      = { Floor = "1", Room = "kitchen" }
}

resource "aws_iot_thing_type" "light" {
  name = "light"
  properties {
    description           = "gives light"
    searchable_attributes = ["Floor"]
  }
}

resource "aws_iot_thing_group" "house" {
  name = "house"
  properties {
    description = "all of the house"
    attribute_payload {
      attributes = { Street = "Main" }
    }
  }
}

resource "aws_iot_thing_group_membership" "lamp" {
  thing_name       = aws_iot_thing.lamp.name
  thing_group_name = aws_iot_thing_group.house.name
}

resource "aws_iot_policy" "connect" {
  name   = "connect"
  policy = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = ["iot:Connect", "iot:Publish"], Resource = "*" }] })
}

resource "aws_iot_topic_rule" "store" {
  name        = "store"
  description = "keeps what comes"
  enabled     = true
  sql         = "SELECT * FROM 'lamps/#'"
  sql_version = "2016-03-23"
  sqs {
    queue_url  = "https://sqs.us-east-1.amazonaws.com/123456789012/lamps"
    role_arn   = aws_iam_role.things.arn
    use_base64 = false
  }
}

resource "aws_iot_role_alias" "upload" {
  alias               = "upload"
  role_arn            = aws_iam_role.things.arn
  credential_duration = 3600
}

resource "aws_iot_billing_group" "shop" {
  name = "shop"
  properties {
    description = "paid by the shop"
  }
}

resource "aws_sagemaker_model" "churn" {
  name               = "churn"
  execution_role_arn = aws_iam_role.things.arn
  primary_container {
    image          = "123456789012.dkr.ecr.us-east-1.amazonaws.com/churn:1"
    model_data_url = "s3://models/churn.tar.gz"
  }
  tags = { Team = "science", Stage = "prod" }
}

resource "aws_sagemaker_endpoint_configuration" "churn" {
  name = "churn"
  production_variants {
    variant_name           = "main"
    model_name             = aws_sagemaker_model.churn.name
    initial_instance_count = 1
    instance_type          = "ml.m5.large"
    initial_variant_weight = 1
  }
  tags = { Team = "science" }
}

resource "aws_sagemaker_endpoint" "churn" {
  name                 = "churn"
  endpoint_config_name = aws_sagemaker_endpoint_configuration.churn.name
  tags                 = { Team = "science" }
}

resource "aws_sagemaker_notebook_instance" "lab" {
  name          = "lab"
  role_arn      = aws_iam_role.things.arn
  instance_type = "ml.t3.medium"
  volume_size   = 10
  tags          = { Team = "science" }
}

resource "aws_sagemaker_model_package_group" "churn" {
  model_package_group_name        = "churn"
  model_package_group_description = "all of its versions"
  tags                            = { Team = "science" }
}

resource "aws_sagemaker_pipeline" "train" {
  pipeline_name         = "train"
  pipeline_display_name = "train"
  pipeline_description  = "every night"
  role_arn              = aws_iam_role.things.arn
  pipeline_definition   = jsonencode({ Version = "2020-12-01", Steps = [] })
}

resource "aws_transfer_server" "partners" {
  identity_provider_type = "SERVICE_MANAGED"
  protocols              = ["SFTP"]
  security_policy_name   = "TransferSecurityPolicy-2020-06"
  tags                   = { Team = "partners", Stage = "prod" }
}

resource "aws_transfer_user" "acme" {
  server_id      = aws_transfer_server.partners.id
  user_name      = "acme"
  role           = aws_iam_role.things.arn
  home_directory = "/partners/acme"
  tags           = { Team = "partners" }
}
