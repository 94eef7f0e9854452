module plumbline.lab/pause

go 1.24.0

tool plumbline.lab/pause
