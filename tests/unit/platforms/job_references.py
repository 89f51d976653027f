"""What the vendors' documentation says of each option in a stored job script, in our own words.

LSF and PBS are not to be had here: their scripts are checked against this, not against a scheduler. The Slurm
options were also run, against Slurm 22.05 (`tests/slurm`).
"""

from __future__ import annotations

_SBATCH = "https://slurm.schedmd.com/sbatch.html (the manual page of 22.05 says the same)"
_BSUB = "https://www.ibm.com/docs/en/SSWRJV_10.1.0/lsf_command_ref/bsub"
_QSUB = "https://github.com/openpbs/openpbs/blob/master/doc/man1/qsub.1B"
_POLARIS = "https://docs.alcf.anl.gov/running-jobs/example-job-scripts/"
_SUMMIT = "https://docs.olcf.ornl.gov/systems/summit_user_guide.html"

REFERENCES: dict[str, dict[str, str]] = {
    "SBATCH": {
        "--job-name": f"{_SBATCH}: the name shown when jobs are listed.",
        "--output": f"{_SBATCH}: standard output, and error with it, go to this file; %j is the job's id.",
        "--nodes": f"{_SBATCH}: at least this many nodes; one number is minimum and maximum.",
        "--ntasks-per-node": f"{_SBATCH}: tasks to be started on each node, for use with --nodes.",
        "--cpus-per-task": f"{_SBATCH}: processors for each task. Since 22.05 srun does not inherit it.",
        "--gpus-per-node": f"{_SBATCH}: GPUs on each node of the job.",
        "--time": f"{_SBATCH}: limit of the run time; hours:minutes:seconds is one of the forms.",
        "--account": f"{_SBATCH}: who is charged.",
        "--partition": f"{_SBATCH}: the partition asked for.",
        "--qos": f"{_SBATCH}: the quality of service asked for.",
        "--constraint": f"{_SBATCH}: features that the nodes must have.",
        "--signal": f"{_SBATCH}: B:USR1@60 sends USR1 to the batch shell alone when 60 s are left, and because of "
        "the resolution of events up to 60 s earlier; the time is at most 65535.",
        "--no-kill": f"{_SBATCH}: the job is not ended when one of its nodes fails; its owner sees to the rest.",
        "--requeue": f"{_SBATCH}: after a node failure or preemption the job may be queued again; its script then "
        "starts from the beginning.",
        "--open-mode": f"{_SBATCH}: append to the output file, or truncate it.",
        "--exclusive": f"{_SBATCH}: nodes are not shared with other jobs; all their processors and GPUs are given.",
        "--mem": f"{_SBATCH}: memory per node; 0 is all of it.",
    },
    "BSUB": {
        "-J": "https://www.ibm.com/docs/SSWRJV_10.1.0/lsf_command_ref/bsub.zz1argument.command.1.html: the name under "
        "which bjobs shows the job.",
        "-o": f"{_BSUB}.o.1.html: appends standard output, and without -e standard error, to the file; %J is the "
        "job's id. Unless LSB_STDOUT_DIRECT is set, only once the job has ended.",
        "-nnodes": f"{_BSUB}.nnodes.1.html: compute nodes of a job on an IBM CSM system; {_SUMMIT} uses it so.",
        "-n": f"{_BSUB}.n.1.html: the number of tasks, each a slot.",
        "-R": "https://www.ibm.com/docs/SSWRJV_10.1.0/lsf_admin/span_string.html: span[ptile=value] allocates this "
        "many processors on each host.",
        "-gpu": "https://ibm.com/support/knowledgecenter/SSWRJV_10.1.0/lsf_gpu/lsf_gpu_submit_jobs.html: "
        '"num=4/host" asks for that many physical GPUs on each host.',
        "-W": f"{_BSUB}.__w.1.html: run limit, [hour:]minute; a job over it gets SIGUSR2, and is killed if it "
        "does not end within ten minutes.",
        "-P": f"{_BSUB}.__p.1.html: the project that the job belongs to; {_SUMMIT} requires it.",
        "-q": f"{_BSUB}.q.1.html: the queue.",
        "-wa": f"{_BSUB}.wa.1.html: the signal (its name without SIG) sent before a job control action such as the "
        "end of the run limit; needs -wt.",
        "-wt": f"{_BSUB}.wt.1.html: how long before, [hour:]minute; needs -wa.",
        "-r": f"{_BSUB}.r.1.html: queued again under the same id when its execution host or the system fails, not "
        "when the job itself does.",
        "-alloc_flags": f"{_SUMMIT}: options of the allocation; NVME gives the node-local burst buffer.",
    },
    "PBS": {
        "-N": f"{_QSUB}: the job's name, at most 236 characters.",
        "-l select": f"{_QSUB}: [N:]chunk, and a chunk is resource=value[:resource=value ...]; pbs_resources(7B): "
        "ncpus, and mpiprocs, the number of times that the chunk's host stands in $PBS_NODEFILE. ngpus is a resource "
        "that sites define, under this name by custom.",
        "-l place": f"{_QSUB}: scatter takes only one chunk with MPI processes from a host.",
        "-l walltime": f"{_QSUB}: a limit for the job as a whole, as in walltime=1:00:00.",
        "-l filesystems": f"{_POLARIS}: the file systems that the job needs; required at ALCF.",
        "-A": f"{_QSUB}: the accounting string.",
        "-q": f"{_QSUB}: the queue, and server, that the job goes to.",
        "-S": f"{_QSUB}: the shell of the script; otherwise the user's login shell.",
        "-j": f"{_QSUB}: oe merges standard error into standard output.",
        "-k": f"{_QSUB}: d writes to the final destination directly, for o (output) and e (error).",
        "-o": f"{_QSUB}: path of standard output; without a file name in it the file is called JOBID.OU.",
        "-r": f"{_QSUB}: y: the job can be rerun.",
    },
}

# Not on a script's line, but rested on:
ALSO = {
    "sbatch --parsable": f"{_SBATCH}: prints the job's id, and after a semicolon the cluster's name if there is one.",
    "sbatch --dependency=afterany:ID": f"{_SBATCH}: may begin once those jobs have terminated.",
    "bsub < script": "https://www.ibm.com/docs/SSWRJV_10.1.0/lsf_command_ref/bsub.zz1argument.command.1.html: without "
    "a command bsub reads the job from standard input, #BSUB lines included. (`bsub script` needs "
    "LSB_BSUB_PARSE_SCRIPT=Y: .../bsub.zz1argument.job_script.1.html.)",
    "bsub -w ended(ID)": f"{_BSUB}.w.1.html and .../lsf_admin/job_dep_sched.html: not placed before the dependency "
    "holds; ended is true for a job that is done or has exited; a job that is not known makes bsub fail.",
    "bkill": "https://www.ibm.com/docs/en/SSWRJV_10.1.0/lsf_command_ref/bkill.1.html: SIGINT, SIGTERM, SIGKILL, "
    "JOB_TERMINATE_INTERVAL (10 s) apart; parallel jobs get SIGKILL alone unless LSB_USE_SEQUENTIAL_SIGNAL=Y.",
    "qsub -W depend=afterany:ID": f"{_QSUB}: after those jobs have finished with any exit status; it never runs if one "
    "of them was deleted before it ran.",
    "qsub": f"{_QSUB}: prints the job's id, sequence_number.servername.",
}
