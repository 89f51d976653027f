trap '' USR1 USR2
export JOBNAME=parsl.groups.block-0.1.5
set -e
export CORES=$SLURM_CPUS_ON_NODE
export NODES=$SLURM_JOB_NUM_NODES

[[ "1" == "1" ]] && echo "Found cores : $CORES"
[[ "1" == "1" ]] && echo "Found nodes : $NODES"
WORKERCOUNT=2
SCRIPT_DIR="SCRIPTS"
[[ -d $SCRIPT_DIR ]] || SCRIPT_DIR=""

cat << SLURM_EOF > ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh
POOL --block_id=0
SLURM_EOF
chmod a+x ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh

srun --ntasks 2 -l --nodes=2 --ntasks-per-node=1 --cpus-per-task=128 --cpu-bind=none --mem=0 --mpi=none --overlap --no-kill --kill-on-bad-exit=0 --wait=0 --export=ALL --gpus-per-node=4 --gpu-bind=none bash ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$SLURM_JOB_NAME.sh

[[ "1" == "1" ]] && echo "Done"
