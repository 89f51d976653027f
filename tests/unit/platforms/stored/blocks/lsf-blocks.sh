#!/bin/bash

#BSUB -W 60
#BSUB -J parsl.groups.block-0.1.5
#BSUB -o SCRIPTS/parsl.groups.block-0.1.5.submit.stdout
#BSUB -e SCRIPTS/parsl.groups.block-0.1.5.submit.stderr
#BSUB -x
#BSUB -P abc123
#BSUB -n 32
#BSUB -R "span[ptile=16]"




export JOBNAME="parsl.groups.block-0.1.5"

hosts=$(sort -u "$LSB_DJOB_HOSTFILE" | paste -s -d " ")
blaunch -z "$hosts" /bin/bash -c 'POOL --block_id=0'

