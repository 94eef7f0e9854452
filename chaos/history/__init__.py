"""What clients of a bed did while an experiment ran: recorded by one process, judged by functions that record nothing."""
