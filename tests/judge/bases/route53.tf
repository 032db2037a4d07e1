resource "aws_route53_zone" "main" {
  name    = "judge.example"
  comment = "main zone"
  tags    = { Env = "prod" }
}

resource "aws_route53_record" "www" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "www"
  type    = "A"
  ttl     = 300
  records = ["192.0.2.1", "192.0.2.2"]
}

resource "aws_route53_record" "txt" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "judge.example"
  type    = "TXT"
  ttl     = 60
  records = ["v=spf1 -all"]
}

resource "aws_route53_record" "star" {
  zone_id = aws_route53_zone.main.zone_id
  name    = "*.apps"
  type    = "CNAME"
  ttl     = 60
  records = ["www.judge.example"]
}

resource "aws_route53_health_check" "web" {
  fqdn              = "www.judge.example"
  port              = 443
  type              = "HTTPS"
  resource_path     = "/"
  failure_threshold = 3
  request_interval  = 30
}
