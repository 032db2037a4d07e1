"""Changes that data alone cannot describe.

A catalog entry names one with ``transform`` and configures it with ``with``: see ``tfdrift_core.drift.change``.
"""

from collections.abc import Mapping

from tfdrift_core.drift.change import Transform
from tfdrift_core.drift.transforms import addresses, apigateway, blocks, dynamodb, policies, s3, security_groups

TRANSFORMS: Mapping[str, Transform] = {
    **addresses.TRANSFORMS,
    **apigateway.TRANSFORMS,
    **blocks.TRANSFORMS,
    **dynamodb.TRANSFORMS,
    **policies.TRANSFORMS,
    **s3.TRANSFORMS,
    **security_groups.TRANSFORMS,
}
