resource "aws_vpc" "main" {
  cidr_block = "10.32.0.0/16"
}

resource "aws_iam_role" "runner" {
  name = "runner"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = ["scheduler.amazonaws.com", "pipes.amazonaws.com", "states.amazonaws.com", "fis.amazonaws.com"] } }]
  })
}

resource "aws_sqs_queue" "in" {
  name = "in"
}

resource "aws_sqs_queue" "out" {
  name = "out"
}

resource "aws_scheduler_schedule_group" "nightly" {
  name = "nightly"
  tags = { Team = "shop" }
}

resource "aws_scheduler_schedule" "report" {
  name                         = "report"
  group_name                   = aws_scheduler_schedule_group.nightly.name
  description                  = "the report of the day"
  schedule_expression          = "cron(0 3 * * ? *)"
  schedule_expression_timezone = "Europe/Zurich"
  flexible_time_window {
    mode                      = "FLEXIBLE"
    maximum_window_in_minutes = 10
  }
  target {
    arn      = aws_sqs_queue.in.arn
    role_arn = aws_iam_role.runner.arn
    input    = jsonencode({ day = "today" })
    retry_policy {
      maximum_event_age_in_seconds = 3600
      maximum_retry_attempts       = 3
    }
  }
}

resource "aws_scheduler_schedule" "plain" {
  name                = "plain"
  schedule_expression = "rate(5 minutes)"
  flexible_time_window {
    mode = "OFF"
  }
  target {
    arn      = aws_sqs_queue.in.arn
    role_arn = aws_iam_role.runner.arn
  }
}

resource "aws_pipes_pipe" "forward" {
  name        = "forward"
  description = "in to out"
  role_arn    = aws_iam_role.runner.arn
  source      = aws_sqs_queue.in.arn
  target      = aws_sqs_queue.out.arn
  tags        = { Team = "shop", Stage = "prod" }
}

resource "aws_service_discovery_http_namespace" "apps" {
  name        = "apps"
  description = "all apps"
  tags        = { Team = "shop" }
}

resource "aws_service_discovery_private_dns_namespace" "internal" {
  name        = "internal.example"
  description = "inside"
  vpc         = aws_vpc.main.id
  tags        = { Team = "shop" }
}

resource "aws_service_discovery_service" "cart" {
  name        = "cart"
  description = "the cart"
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.internal.id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 10
    }
  }
  health_check_custom_config {
    failure_threshold = 1
  }
  tags = { Team = "shop" }
}

resource "aws_service_discovery_service" "web" {
  name         = "web"
  description  = "the web"
  namespace_id = aws_service_discovery_http_namespace.apps.id
  type         = "HTTP"
}

resource "aws_service_discovery_instance" "cart" {
  instance_id = "cart-1"
  service_id  = aws_service_discovery_service.cart.id
  attributes  = { AWS_INSTANCE_IPV4 = "10.32.0.10", zone = "a" }
}

resource "aws_sfn_state_machine" "order" {
  name       = "order"
  role_arn   = aws_iam_role.runner.arn
  definition = jsonencode({ StartAt = "Done", States = { Done = { Type = "Succeed" } } })
  tags       = { Team = "shop" }
}

resource "aws_sfn_activity" "pack" {
  name = "pack"
  tags = { Team = "shop" }
}

resource "aws_vpclattice_service_network" "mesh" {
  name      = "mesh"
  auth_type = "AWS_IAM"
  tags      = { Team = "network", Stage = "prod" }
}

resource "aws_vpclattice_service" "cart" {
  name      = "cart"
  auth_type = "NONE"
  tags      = { Team = "shop" }
}

resource "aws_vpclattice_service_network_service_association" "cart" {
  service_network_identifier = aws_vpclattice_service_network.mesh.id
  service_identifier         = aws_vpclattice_service.cart.id
}

resource "aws_vpclattice_target_group" "cart" {
  name = "cart"
  type = "IP"
  config {
    vpc_identifier = aws_vpc.main.id
    port           = 80
    protocol       = "HTTP"
  }
  tags = { Team = "shop" }
}

resource "aws_vpclattice_listener" "http" {
  name               = "http"
  protocol           = "HTTP"
  port               = 80
  service_identifier = aws_vpclattice_service.cart.id
  default_action {
    fixed_response {
      status_code = 404
    }
  }
}

resource "aws_vpclattice_access_log_subscription" "mesh" {
  resource_identifier = aws_vpclattice_service_network.mesh.id
  destination_arn     = "arn:aws:s3:::mesh-logs"
}

resource "aws_vpclattice_auth_policy" "cart" {
  resource_identifier = aws_vpclattice_service.cart.arn
  policy              = jsonencode({ Version = "2012-10-17", Statement = [{ Effect = "Allow", Action = "*", Principal = "*", Resource = "*" }] })
}

resource "aws_networkmanager_global_network" "wan" {
  description = "the wan"
  tags        = { Team = "network", Stage = "prod" }
}

resource "aws_networkmanager_site" "hq" {
  global_network_id = aws_networkmanager_global_network.wan.id
  description       = "headquarters"
  tags              = { Team = "network" }
}

resource "aws_networkmanager_device" "router" {
  global_network_id = aws_networkmanager_global_network.wan.id
  site_id           = aws_networkmanager_site.hq.id
  description       = "the router"
  tags              = { Team = "network" }
}

resource "aws_networkmanager_link" "fibre" {
  global_network_id = aws_networkmanager_global_network.wan.id
  site_id           = aws_networkmanager_site.hq.id
  description       = "the fibre"
  bandwidth {
    download_speed = 50
    upload_speed   = 10
  }
}

resource "aws_fis_experiment_template" "stop" {
  description = "stops one"
  role_arn    = aws_iam_role.runner.arn
  stop_condition {
    source = "none"
  }
  action {
    name      = "stop"
    action_id = "aws:ec2:stop-instances"
    target {
      key   = "Instances"
      value = "one"
    }
  }
  target {
    name           = "one"
    resource_type  = "aws:ec2:instance"
    selection_mode = "COUNT(1)"
    resource_tag {
      key   = "Team"
      value = "shop"
    }
  }
  tags = { Team = "shop" }
}
