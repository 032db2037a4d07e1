resource "aws_iam_role" "batch" {
  name = "batch"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "batch.amazonaws.com" } }]
  })
}

resource "aws_batch_compute_environment" "own" {
  compute_environment_name = "own"
  type                     = "UNMANAGED"
  service_role             = aws_iam_role.batch.arn
  tags                     = { Name = "own" }
}

resource "aws_batch_compute_environment" "spare" {
  compute_environment_name = "spare"
  type                     = "UNMANAGED"
  service_role             = aws_iam_role.batch.arn
}

resource "aws_batch_scheduling_policy" "fair" {
  name = "fair"
  fair_share_policy {
    compute_reservation = 1
    share_decay_seconds = 3600
    share_distribution {
      share_identifier = "A1*"
      weight_factor    = 0.1
    }
  }
  tags = { Name = "fair" }
}

resource "aws_batch_job_queue" "jobs" {
  name     = "jobs"
  state    = "ENABLED"
  priority = 5
  compute_environment_order {
    order               = 1
    compute_environment = aws_batch_compute_environment.own.arn
  }
  tags = { Name = "jobs", Team = "data" }
}

resource "aws_batch_job_definition" "night" {
  name                 = "night"
  type                 = "container"
  container_properties = jsonencode({ command = ["ls"], image = "busybox", vcpus = 1, memory = 128 })
  parameters           = { mode = "full" }
  retry_strategy {
    attempts = 2
  }
  tags = { Name = "night" }
}
