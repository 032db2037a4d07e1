"""Changes that data alone cannot describe.

A catalog entry names one with ``transform`` and configures it with ``with``: see ``tfdrift_core.drift.change.apply``.
"""

from collections.abc import Mapping

from tfdrift_core.drift.change.apply import Transform
from tfdrift_core.drift.change.transforms import addresses, apigateway, blocks, dynamodb, policies, s3, security_groups

TRANSFORMS: Mapping[str, Transform] = {
    **addresses.TRANSFORMS,
    **apigateway.TRANSFORMS,
    **blocks.TRANSFORMS,
    **dynamodb.TRANSFORMS,
    **policies.TRANSFORMS,
    **s3.TRANSFORMS,
    **security_groups.TRANSFORMS,
}
