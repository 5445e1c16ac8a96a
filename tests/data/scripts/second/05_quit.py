server.quit()
