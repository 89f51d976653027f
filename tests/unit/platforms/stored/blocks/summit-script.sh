trap '' USR1 USR2
export JOBNAME=parsl.groups.block-0.1.5
set -e
WORKERCOUNT=2
SCRIPT_DIR="SCRIPTS"
[[ -d $SCRIPT_DIR ]] || SCRIPT_DIR=""

cat << JSRUN_EOF > ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh
POOL --block_id=0
JSRUN_EOF
chmod a+x ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh

jsrun -n 2 -r 1 -a 1 -c ALL_CPUS -g ALL_GPUS -b none /bin/bash ${SCRIPT_DIR:+$SCRIPT_DIR/}cmd_$JOBNAME.sh &
wait

[[ "1" == "1" ]] && echo "Done"
