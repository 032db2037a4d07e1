resource "aws_vpc" "main" {
  cidr_block = "10.40.0.0/16"
}

resource "aws_subnet" "count" {
  count      = 2
  vpc_id     = aws_vpc.main.id
  cidr_block = "10.40.${count.index}.0/24"
}

resource "aws_network_acl" "strict" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = aws_subnet.count[*].id
}

resource "aws_network_acl" "open" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table" "main" {
  vpc_id = aws_vpc.main.id
}

resource "aws_route_table_association" "count" {
  count          = 2
  subnet_id      = aws_subnet.count[count.index].id
  route_table_id = aws_route_table.main.id
}

resource "aws_security_group" "wide" {
  name   = "wide"
  vpc_id = aws_vpc.main.id
  ingress {
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["192.0.2.0/25", "198.51.100.0/24"]
  }
  ingress {
    from_port        = 443
    to_port          = 443
    protocol         = "tcp"
    cidr_blocks      = ["10.0.0.0/8"]
    ipv6_cidr_blocks = ["fd00::/8"]
    description      = "inside"
  }
}

resource "aws_vpc_dhcp_options" "own" {
  domain_name = "own.internal"
}

resource "aws_vpc_dhcp_options_association" "own" {
  vpc_id          = aws_vpc.main.id
  dhcp_options_id = aws_vpc_dhcp_options.own.id
}

resource "aws_network_interface" "count" {
  count           = 2
  subnet_id       = aws_subnet.count[0].id
  security_groups = [aws_security_group.wide.id]
}

resource "aws_egress_only_internet_gateway" "out" {
  vpc_id = aws_vpc.main.id
}
