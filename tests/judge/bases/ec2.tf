resource "aws_vpc" "main" {
  cidr_block = "10.20.0.0/16"
}

resource "aws_subnet" "a" {
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.20.1.0/24"
  availability_zone = "us-east-1a"
}

resource "aws_security_group" "one" {
  name   = "one"
  vpc_id = aws_vpc.main.id
}

resource "aws_security_group" "two" {
  name   = "two"
  vpc_id = aws_vpc.main.id
}

resource "aws_instance" "app" {
  ami                         = "ami-1e749f67"
  instance_type               = "t3.micro"
  subnet_id                   = aws_subnet.a.id
  vpc_security_group_ids      = [aws_security_group.one.id]
  user_data                   = "echo one"
  disable_api_termination     = false
  associate_public_ip_address = false
  tags                        = { Name = "app", Env = "prod" }
}

resource "aws_instance" "pool" {
  count         = 3
  ami           = "ami-1e749f67"
  instance_type = "t3.nano"
  subnet_id     = aws_subnet.a.id
  tags          = { Name = "pool-${count.index}" }
}

resource "aws_ebs_volume" "data" {
  availability_zone = "us-east-1a"
  size              = 20
  type              = "gp3"
  iops              = 3000
  throughput        = 125
  tags              = { Name = "data" }
}

resource "aws_ebs_snapshot" "data" {
  volume_id = aws_ebs_volume.data.id
  tags      = { Name = "data" }
}

resource "aws_eip" "app" {
  vpc  = true
  tags = { Name = "app" }
}

resource "aws_eip_association" "app" {
  allocation_id = aws_eip.app.id
  instance_id   = aws_instance.app.id
}

resource "aws_network_interface" "extra" {
  subnet_id       = aws_subnet.a.id
  description     = "extra"
  security_groups = [aws_security_group.one.id]
}

resource "aws_launch_template" "lt" {
  name          = "template"
  image_id      = "ami-1e749f67"
  instance_type = "t3.small"
}

resource "aws_key_pair" "ops" {
  key_name   = "ops"
  public_key = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQD3F6tyPEFEzV0LX3X8BsXdMsQz1x2cEikKDEY0aIj41qgxMCP/iteneqXSIFZBp5vizPvaoIR3Um9xK7PGoW8giupGn+EPuxIA4cDM4vzOqOkiMPhz5XK0whEjkVzTo4+S0puvDZuwIsdiW9mxhJc7tgBNL0cYlWSYVkz4G/fslNfRPW5mYAM49f4fhtxPb5ok4Q2Lg9dPKVHO/Bgeu5woMc7RY0p1ej6D4CKFE6lymSDJpW0YHX/wqE9+cfEauh7xZcG0q9t2ta6F6fmX0agvpFyZo8aFbXeUBr7osSCJNgvavWbM/06niWrOvYX2xwWdhXmXSrbX8ZbabVohBK41 judge"
}

resource "aws_ebs_volume" "used" {
  availability_zone = "us-east-1a"
  size              = 10
  tags              = { Name = "used" }
}

resource "aws_volume_attachment" "used" {
  device_name = "/dev/sdh"
  volume_id   = aws_ebs_volume.used.id
  instance_id = aws_instance.pool[2].id
}
