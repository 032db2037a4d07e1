resource "aws_vpc" "main" {
  cidr_block = "10.50.0.0/16"
}

resource "aws_subnet" "count" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.50.${count.index}.0/24"
  availability_zone = element(["us-east-1a", "us-east-1b"], count.index)
}

resource "aws_lb" "web" {
  name     = "web"
  internal = true
  subnets  = aws_subnet.count[*].id
}

resource "aws_lb_target_group" "each" {
  for_each = toset(["blue", "green"])
  name     = each.key
  port     = 80
  protocol = "HTTP"
  vpc_id   = aws_vpc.main.id
}

resource "aws_lb_listener" "http" {
  load_balancer_arn = aws_lb.web.arn
  port              = 80
  protocol          = "HTTP"
  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.each["blue"].arn
  }
}

resource "aws_lb_listener_rule" "count" {
  count        = 2
  listener_arn = aws_lb_listener.http.arn
  priority     = 10 + count.index
  action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.each["green"].arn
  }
  condition {
    path_pattern {
      values = ["/${count.index}/*"]
    }
  }
}
