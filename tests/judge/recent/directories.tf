resource "aws_vpc" "main" {
  cidr_block = "10.94.0.0/16"
}

resource "aws_subnet" "main" {
  count             = 2
  vpc_id            = aws_vpc.main.id
  cidr_block        = "10.94.${count.index}.0/24"
  availability_zone = element(["us-east-1a", "us-east-1b"], count.index)
}

resource "aws_directory_service_directory" "corp" {
  name     = "corp.example.com"
  password = "Hunter22hunter!"
  size     = "Small"
  type     = "SimpleAD"
  vpc_settings {
    vpc_id     = aws_vpc.main.id
    subnet_ids = aws_subnet.main[*].id
  }
  tags = { Name = "corp", Team = "it" }
}

resource "aws_directory_service_directory" "trusted" {
  name     = "trusted.example.com"
  password = "Hunter22hunter!"
  edition  = "Standard"
  type     = "MicrosoftAD"
  vpc_settings {
    vpc_id     = aws_vpc.main.id
    subnet_ids = aws_subnet.main[*].id
  }
}

resource "aws_cloudwatch_log_group" "directory" {
  name = "/aws/directoryservice/trusted"
}

resource "aws_directory_service_log_subscription" "trusted" {
  directory_id   = aws_directory_service_directory.trusted.id
  log_group_name = aws_cloudwatch_log_group.directory.name
}
