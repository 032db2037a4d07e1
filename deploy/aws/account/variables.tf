variable "name" {
  description = "Name of the queue, and the beginning of every other name."
  type        = string
  default     = "tfdrift"
}

variable "trusted_principals" {
  description = "ARNs that may assume Falco's role; without any, no role is made."
  type        = list(string)
  default     = []
}

variable "external_id" {
  description = "External id that is asked for when the role is assumed."
  type        = string
  default     = ""
}

variable "tags" {
  description = "Tags of everything that is made."
  type        = map(string)
  default     = {}
}

variable "shared_store" {
  description = "Makes a table in which several Falco replicas keep open drift together."
  type        = bool
  default     = false
}

variable "more_rules" {
  description = "ARNs of other EventBridge rules that may send to the queue."
  type        = list(string)
  default     = []
}
