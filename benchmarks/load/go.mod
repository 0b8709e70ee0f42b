module apisnoop/benchmarks/load

go 1.25
