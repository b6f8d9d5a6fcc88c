module spillway/bench/peers/load

go 1.22
