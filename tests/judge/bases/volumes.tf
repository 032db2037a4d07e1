resource "aws_instance" "pool" {
  count         = 2
  ami           = "ami-1e749f67"
  instance_type = "t3.nano"
  tags          = { Name = "pool-${count.index}" }
}

resource "aws_ebs_volume" "used" {
  availability_zone = aws_instance.pool[0].availability_zone
  size              = 10
  type              = "gp3"
  iops              = 3000
  throughput        = 125
  tags              = { Name = "used" }
}

resource "aws_volume_attachment" "used" {
  device_name = "/dev/sdh"
  volume_id   = aws_ebs_volume.used.id
  instance_id = aws_instance.pool[0].id
}

resource "aws_ebs_volume" "loose" {
  availability_zone = aws_instance.pool[0].availability_zone
  size              = 5
  type              = "gp2"
  encrypted         = true
  tags              = { Name = "loose" }
}
