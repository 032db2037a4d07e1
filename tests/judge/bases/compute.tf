resource "aws_vpc" "main" {
  cidr_block = "10.50.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.50.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_instance" "each" {
  for_each      = toset(["web", "db"])
  ami           = "ami-1e749f67"
  instance_type = "t3.micro"
  subnet_id     = aws_subnet.a.id
  tags          = { Name = each.key }
}

resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1a"
  size              = 10
}

resource "aws_volume_attachment" "data" {
  device_name = "/dev/sdf"
  volume_id   = aws_ebs_volume.data.id
  instance_id = aws_instance.each["db"].id
}

resource "aws_network_interface" "extra" {
  subnet_id = aws_subnet.a.id
}

resource "aws_network_interface_attachment" "extra" {
  instance_id          = aws_instance.each["web"].id
  network_interface_id = aws_network_interface.extra.id
  device_index         = 1
}

resource "aws_eip" "web" {
  vpc      = true
  instance = aws_instance.each["web"].id
}

resource "aws_ami_launch_permission" "friend" {
  image_id   = aws_ami_from_instance.web.id
  account_id = "210987654321"
}

resource "aws_ami_from_instance" "web" {
  name               = "web"
  source_instance_id = aws_instance.each["web"].id
}

resource "aws_launch_configuration" "lc" {
  name          = "lc"
  image_id      = "ami-1e749f67"
  instance_type = "t3.micro"
}

resource "aws_autoscaling_group" "web" {
  name                 = "web"
  min_size             = 0
  max_size             = 3
  desired_capacity     = 0
  vpc_zone_identifier  = [aws_subnet.a.id]
  launch_configuration = aws_launch_configuration.lc.name
  tag {
    key                 = "Env"
    value               = "prod"
    propagate_at_launch = true
  }
}

resource "aws_autoscaling_policy" "up" {
  name                   = "up"
  autoscaling_group_name = aws_autoscaling_group.web.name
  adjustment_type        = "ChangeInCapacity"
  scaling_adjustment     = 1
}
