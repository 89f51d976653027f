"""Ask, dispatch, tell: one process that spends the allocation on candidates, and can be resumed after anything."""

from hpc_nas.campaign.run import CampaignResult, run_campaign

__all__ = ["CampaignResult", "run_campaign"]
