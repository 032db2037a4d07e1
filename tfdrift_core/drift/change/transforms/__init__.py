"""Changes that data alone cannot describe.

A catalog entry names one with ``transform`` and gives its options with ``with``.  ``python -m
tfdrift_core.drift.change.transforms`` renews what is made from the classes here: the schema of the options and the
table in ``docs/catalog.md``.
"""

from collections.abc import Mapping
from keyword import iskeyword
from typing import Any

from tfdrift_core.drift.change.transforms.addresses import PrivateAddresses
from tfdrift_core.drift.change.transforms.apigateway import MethodSettings, Patch
from tfdrift_core.drift.change.transforms.base import Transform
from tfdrift_core.drift.change.transforms.blocks import BlockAgain, BlockElement, Gone, SingleTag
from tfdrift_core.drift.change.transforms.dynamodb import DynamoDbItem, DynamoDbOnDemand, DynamoDbUsedAttributes
from tfdrift_core.drift.change.transforms.policies import (
    PolicyAddPermission,
    PolicyRemovePermission,
    PolicyVersionChosen,
    PolicyVersionMade,
)
from tfdrift_core.drift.change.transforms.s3 import S3AccessControlPolicy, S3BucketGrants, S3ObjectTags
from tfdrift_core.drift.change.transforms.security_groups import (
    SecurityGroupModified,
    SecurityGroupRule,
    SecurityGroupRuleItem,
    SecurityGroupRuleItemModified,
    SecurityGroupRuleModified,
    SecurityGroupRules,
)

TRANSFORMS: Mapping[str, type[Transform]] = {
    transform.name: transform
    for transform in (
        BlockAgain,
        BlockElement,
        DynamoDbItem,
        DynamoDbOnDemand,
        DynamoDbUsedAttributes,
        Gone,
        MethodSettings,
        Patch,
        PolicyAddPermission,
        PolicyRemovePermission,
        PolicyVersionChosen,
        PolicyVersionMade,
        PrivateAddresses,
        S3AccessControlPolicy,
        S3BucketGrants,
        S3ObjectTags,
        SecurityGroupModified,
        SecurityGroupRule,
        SecurityGroupRuleItem,
        SecurityGroupRuleItemModified,
        SecurityGroupRuleModified,
        SecurityGroupRules,
        SingleTag,
    )
}
"""By the name that ``transform`` says."""


def make(name: str, options: Mapping[str, Any]) -> Transform:
    """The transform of this name with these options, which the catalog's schema allows."""
    return TRANSFORMS[name](**{f"{option}_" if iskeyword(option) else option: v for option, v in options.items()})
