resource "aws_cloudwatch_log_group" "app" {
  name              = "app"
  retention_in_days = 30
  tags              = { Env = "prod" }
}

resource "aws_cloudwatch_metric_alarm" "cpu" {
  alarm_name          = "cpu"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  metric_name         = "CPUUtilization"
  namespace           = "AWS/EC2"
  period              = 60
  statistic           = "Average"
  threshold           = 70
}

resource "aws_cloudwatch_event_rule" "nightly" {
  name                = "nightly"
  schedule_expression = "rate(1 day)"
}

resource "aws_sqs_queue" "target" {
  name = "target"
}

resource "aws_cloudwatch_event_target" "queue" {
  rule      = aws_cloudwatch_event_rule.nightly.name
  target_id = "queue"
  arn       = aws_sqs_queue.target.arn
}

resource "aws_secretsmanager_secret" "token" {
  name        = "token"
  description = "token"
}

resource "aws_secretsmanager_secret_version" "token" {
  secret_id     = aws_secretsmanager_secret.token.id
  secret_string = "not-a-real-one"
}

resource "aws_ssm_parameter" "mode" {
  name        = "/app/mode"
  type        = "String"
  value       = "prod"
  description = "mode"
}

resource "aws_ecs_cluster" "main" {
  name = "main"
  tags = { Env = "prod" }
}

resource "aws_launch_configuration" "lc" {
  name          = "lc"
  image_id      = "ami-1e749f67"
  instance_type = "t3.micro"
}

resource "aws_autoscaling_group" "web" {
  name                 = "web"
  min_size             = 1
  max_size             = 3
  desired_capacity     = 1
  availability_zones   = ["us-east-1a"]
  launch_configuration = aws_launch_configuration.lc.name
}

resource "aws_efs_file_system" "home" {
  creation_token = "home"
  tags           = { Name = "home" }
}

resource "aws_elasticache_cluster" "cache" {
  cluster_id      = "cache"
  engine          = "redis"
  engine_version  = "5.0.6"
  node_type       = "cache.t3.micro"
  num_cache_nodes = 1
}
