server.login("your_email@gmail.com", "your_password")
