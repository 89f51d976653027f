trap '' USR1 USR2
export JOBNAME=parsl.groups.block-0.1.5
hosts=$(sort -u "$LSB_DJOB_HOSTFILE" | paste -s -d " ")
blaunch -z "$hosts" /bin/bash -c 'POOL --block_id=0'
